import { Moon, Sun, SunMoon } from 'lucide-react';
import { Menu, MenuChoice } from '../overlays/menu.tsx';
import { setPreferences, usePreferences } from '../preferences/preferences.ts';
import styles from './brand.module.css';

/** The logo: a bar of plaintext, a bar of ciphertext, and the dots of a mask. */
export function Mark() {
  return (
    <svg width={20} height={20} viewBox="0 0 20 20" aria-hidden="true">
      <rect x="1" y="2.5" width="9" height="4" rx="1.2" fill="var(--text-1)" />
      <rect x="5" y="8" width="14" height="4" rx="1.2" fill="var(--crypto)" />
      <g fill="var(--text-3)">
        {[14.4, 16.9].flatMap((y) =>
          [10.2, 13, 15.8].map((x) => <circle key={`${x} ${y}`} cx={x} cy={y} r=".9" />),
        )}
      </g>
    </svg>
  );
}

/** The logo and the name. */
export const Brand = () => (
  <>
    <Mark />
    <span className={styles['name']}>temporal-kms</span>
  </>
);

const icons = { system: SunMoon, dark: Moon, light: Sun } as const;

export function ThemeMenu({ className }: { readonly className?: string | undefined }) {
  const { theme } = usePreferences();
  const Icon = icons[theme];
  return (
    <Menu label="Theme" trigger={<Icon size={14} />} icon align="end" className={className}>
      <MenuChoice
        title="Theme"
        value={theme}
        options={[
          { value: 'system', text: 'System' },
          { value: 'dark', text: 'Dark' },
          { value: 'light', text: 'Light' },
        ]}
        onChange={(next) => setPreferences({ theme: next })}
      />
    </Menu>
  );
}
