import { Outlet, useParams } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { FileEntry } from '../files/file-entry.tsx';
import { useAsked } from '../payloads/reveal/reveal-request.ts';
import { useRevealed, useReveals } from '../payloads/reveal/reveals-context.tsx';
import { isAnyOpen } from '../payloads/reveal/reveals.ts';
import { useLock } from '../payloads/reveal/use-lock.ts';
import { useRunsSearch } from '../search/use-runs-search.ts';
import { useCommands, useHotkeys } from '../ui/commands/registry.ts';
import { LiveRegion } from '../ui/live-region.tsx';
import { DialogLoading } from '../ui/overlays/dialog.tsx';
import { TooltipLayer } from '../ui/overlays/tooltip.tsx';
import { usePreferences, watchSystemTheme } from '../ui/preferences/preferences.ts';
import { PaletteEntry } from './palette-entry.tsx';
import styles from './shell.module.css';
import { TopBar } from './top-bar.tsx';

/** Loaded when first opened. */
const SettingsDialog = lazy(async () => ({
  default: (await import('./settings-dialog.tsx')).SettingsDialog,
}));

const ShortcutsDialog = lazy(async () => ({
  default: (await import('./shortcuts-dialog.tsx')).ShortcutsDialog,
}));

const RevealDialog = lazy(async () => ({
  default: (await import('../payloads/reveal/reveal-dialog.tsx')).RevealDialog,
}));

/** The frame of every page: the top bar, the hotkeys, the palette, dialogs, tooltips and the live region. */
export function Shell() {
  const [helpOpen, setHelpOpen] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const { characterKeys } = usePreferences();
  const reveals = useReveals();
  const asked = useAsked();
  const { namespace } = useParams({ strict: false });
  const lock = useLock(namespace ?? '');
  const isOpen = useRevealed((state) => namespace !== undefined && isAnyOpen(state, namespace));

  useEffect(() => watchSystemTheme(), []);
  useEffect(() => {
    document.addEventListener('focusin', showFocused);
    return () => document.removeEventListener('focusin', showFocused);
  }, []);
  const runsSearch = useRunsSearch();
  // When the user leaves a namespace, drops its plaintext and the text of a search.
  useEffect(() => {
    if (namespace === undefined) return undefined;
    return () => {
      reveals.leave(namespace);
      runsSearch.clear();
    };
  }, [namespace, reveals, runsSearch]);
  useHotkeys();
  useCommands({
    help: () => setHelpOpen(true),
    settings: () => setSettingsOpen(true),
    'payloads.lock': isOpen ? lock : undefined,
  });

  return (
    <div className={styles['shell']}>
      <a className={styles['skip']} href="#main" data-unprinted="">
        Skip to content
      </a>
      <TopBar onHelp={() => setHelpOpen(true)} onSettings={() => setSettingsOpen(true)} />
      <main id="main" className={styles['main']} tabIndex={-1}>
        {/* Pages show the keys of commands in many places, so they are mounted again when the keys change. */}
        <Outlet key={String(characterKeys)} />
      </main>
      <PaletteEntry />
      {helpOpen ? (
        <Suspense fallback={<DialogLoading />}>
          <ShortcutsDialog onClose={() => setHelpOpen(false)} />
        </Suspense>
      ) : null}
      {settingsOpen ? (
        <Suspense fallback={<DialogLoading />}>
          <SettingsDialog onClose={() => setSettingsOpen(false)} />
        </Suspense>
      ) : null}
      {asked ? (
        <Suspense fallback={<DialogLoading />}>
          <RevealDialog asked={asked} />
        </Suspense>
      ) : null}
      <FileEntry />
      <LiveRegion />
      <TooltipLayer />
    </div>
  );
}

/**
 * If the page does not fit into the window, scrolls it to the focused element. Focusing a row does not scroll
 * the page: the grid scrolls to the row instead. A heading gets the focus only when a page opens or a dialog
 * closes, which must not scroll the page.
 */
function showFocused({ target }: FocusEvent): void {
  const main = document.querySelector('#main');
  if (!main || main.scrollHeight <= main.clientHeight || target === main) return;
  if (target instanceof HTMLHeadingElement) return;
  if (target instanceof Element && main.contains(target)) target.scrollIntoView({ block: 'nearest' });
}
