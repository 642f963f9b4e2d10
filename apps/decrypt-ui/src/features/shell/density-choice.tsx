import { MenuChoice } from '../../components/menu.tsx';
import { setPreferences, usePreferences } from '../../state/preferences.ts';

/** How high the rows of both lists are; a part of a menu. */
export function DensityChoice({ title }: { readonly title?: string }) {
  const { density } = usePreferences();
  return (
    <MenuChoice
      {...(title === undefined ? {} : { title })}
      value={density}
      options={[
        { value: 'compact', text: 'Compact', note: '24 px' },
        { value: 'default', text: 'Default', note: '28 px' },
        { value: 'comfortable', text: 'Comfortable', note: '36 px' },
      ]}
      onChange={(next) => setPreferences({ density: next })}
    />
  );
}
