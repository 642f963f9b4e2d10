import { MenuChoice } from '../overlays/menu.tsx';
import { setPreferences, usePreferences } from '../preferences/preferences.ts';
import { rowHeights } from '../preferences/row-height.ts';

const note = (density: keyof typeof rowHeights) => `${rowHeights[density]} px`;

/** Menu items that choose the density of every grid. */
export function DensityChoice({ title }: { readonly title?: string }) {
  const { density } = usePreferences();
  return (
    <MenuChoice
      {...(title === undefined ? {} : { title })}
      value={density}
      options={[
        { value: 'compact', text: 'Compact', note: note('compact') },
        { value: 'default', text: 'Default', note: note('default') },
        { value: 'comfortable', text: 'Comfortable', note: note('comfortable') },
      ]}
      onChange={(next) => setPreferences({ density: next })}
    />
  );
}
