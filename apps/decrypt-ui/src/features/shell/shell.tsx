import { Outlet, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { LiveRegion } from '../../components/live-region.tsx';
import { TooltipLayer } from '../../components/tooltip.tsx';
import { namespaceScope } from '../../payloads/plaintext-cache.ts';
import { useCommands, useHotkeys } from '../../commands/registry.ts';
import { useRunsSearch } from '../../run/runs-search-context.tsx';
import { watchSystemTheme } from '../../state/preferences.ts';
import { useServices } from '../../state/services.tsx';
import { PayloadNotice } from '../session/payload-notice.tsx';
import styles from './shell.module.css';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { TopBar } from './top-bar.tsx';

/** Loaded when it is opened for the first time. */
const Palette = lazy(async () => ({ default: (await import('./palette.tsx')).Palette }));

/** The frame of every page: the top bar, the hotkeys, the palette, the shortcuts dialog, tooltips and the live region. */
export function Shell() {
  const [helpOpen, setHelpOpen] = useState(false);
  const [paletteOpen, setPaletteOpen] = useState(false);
  const { plaintext } = useServices();
  const { namespace } = useParams({ strict: false });

  useEffect(() => watchSystemTheme(), []);
  const runsSearch = useRunsSearch();
  // The plaintext of a namespace is dropped when the reader leaves it, and so is the text of a search.
  useEffect(() => {
    if (namespace === undefined) return undefined;
    return () => {
      plaintext.forget(namespaceScope(namespace));
      runsSearch.clear();
    };
  }, [namespace, plaintext, runsSearch]);
  useHotkeys();
  useCommands({ help: () => setHelpOpen(true), palette: () => setPaletteOpen(true) });

  return (
    <div className={styles['shell']}>
      <a className={styles['skip']} href="#main">
        Skip to content
      </a>
      <TopBar onHelp={() => setHelpOpen(true)} />
      <PayloadNotice />
      <main id="main" className={styles['main']} tabIndex={-1}>
        <Outlet />
      </main>
      <ShortcutsDialog open={helpOpen} onOpenChange={setHelpOpen} />
      {paletteOpen ? (
        <Suspense fallback={null}>
          <Palette onClose={() => setPaletteOpen(false)} />
        </Suspense>
      ) : null}
      <LiveRegion />
      <TooltipLayer />
    </div>
  );
}
