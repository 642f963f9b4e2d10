import { type ReactNode, useEffect } from 'react';
import { LiveRegion } from '../../components/live-region.tsx';
import { watchSystemTheme } from '../../state/preferences.ts';
import brandStyles from '../shell/brand.module.css';
import { Brand, ThemeMenu } from '../shell/brand.tsx';
import styles from './frame.module.css';

/** The frame of a page without a namespace: the logo, the theme, and what the page adds on the right. */
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
