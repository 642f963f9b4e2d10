import { Outlet, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { LiveRegion } from '../../components/live-region.tsx';
import { TooltipLayer } from '../../components/tooltip.tsx';
import { namespaceScope } from '../../payloads/plaintext-cache.ts';
import { useCommands, useHotkeys } from '../../commands/registry.ts';
import { useRunsSearch } from '../../run/runs-search-context.tsx';
import { usePreferences, watchSystemTheme } from '../../state/preferences.ts';
import { useServices } from '../../state/services.tsx';
import { PayloadNotice } from '../session/payload-notice.tsx';
import styles from './shell.module.css';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { TopBar } from './top-bar.tsx';

/** Loaded when they are opened for the first time. */
const Palette = lazy(async () => ({ default: (await import('./palette.tsx')).Palette }));
const SettingsDialog = lazy(async () => ({
  default: (await import('./settings-dialog.tsx')).SettingsDialog,
}));

/** The frame of every page: the top bar, the hotkeys, the palette, the dialogs of shortcuts and settings, tooltips and the live region. */
export function Shell() {
  const [helpOpen, setHelpOpen] = useState(false);
  const [paletteOpen, setPaletteOpen] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const { characterKeys } = usePreferences();
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
  useCommands({
    help: () => setHelpOpen(true),
    palette: () => setPaletteOpen(true),
    settings: () => setSettingsOpen(true),
  });

  return (
    <div className={styles['shell']}>
      <a className={styles['skip']} href="#main" data-unprinted="">
        Skip to content
      </a>
      <TopBar onHelp={() => setHelpOpen(true)} onSettings={() => setSettingsOpen(true)} />
      <PayloadNotice />
      <main id="main" className={styles['main']} tabIndex={-1}>
        {/* The pages name the keys of commands in many places, so they are made anew when the keys change. */}
        <Outlet key={String(characterKeys)} />
      </main>
      <ShortcutsDialog open={helpOpen} onOpenChange={setHelpOpen} />
      {paletteOpen ? (
        <Suspense fallback={null}>
          <Palette onClose={() => setPaletteOpen(false)} />
        </Suspense>
      ) : null}
      {settingsOpen ? (
        <Suspense fallback={null}>
          <SettingsDialog onClose={() => setSettingsOpen(false)} />
        </Suspense>
      ) : null}
      <LiveRegion />
      <TooltipLayer />
    </div>
  );
}
