import { setPreferences, usePreferences } from '../state/preferences.ts';
import { MenuChoice } from './menu.tsx';

/** Heights of a grid row in CSS pixels, by the density that the reader chose. */
export const rowHeights = { compact: 24, default: 28, comfortable: 36 } as const;

const note = (density: keyof typeof rowHeights) => `${rowHeights[density]} px`;

/** The choice of a density, as a part of a menu. It applies to every grid. */
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
