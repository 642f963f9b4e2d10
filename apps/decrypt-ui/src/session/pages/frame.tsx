import { type ReactNode, useEffect } from 'react';
import { LiveRegion } from '../../ui/live-region.tsx';
import brandStyles from '../../ui/page/brand.module.css';
import { Brand, ThemeMenu } from '../../ui/page/brand.tsx';
import { watchSystemTheme } from '../../ui/preferences/preferences.ts';
import styles from './frame.module.css';

/** The frame of a page without a namespace: the logo, the theme menu, and the element `end` on the right. */
export function Frame({ end, children }: { end?: ReactNode; children: ReactNode }) {
  useEffect(() => watchSystemTheme(), []);
  return (
    <div className={styles['frame']}>
      <header className={brandStyles['bar']}>
        <span className={brandStyles['brand']}>
          <Brand />
        </span>
        <span className="spacer" />
        <ThemeMenu />
        {end}
      </header>
      <main className={styles['main']}>{children}</main>
      <LiveRegion />
    </div>
  );
}
