import { Outlet, useParams } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { LiveRegion } from '../../components/live-region.tsx';
import { useHotkeys } from '../../components/use-hotkeys.ts';
import { namespaceScope } from '../../payloads/scope.ts';
import { watchSystemTheme } from '../../state/preferences.ts';
import { useServices } from '../../state/services.tsx';
import { KeysDialog } from './keys-dialog.tsx';
import styles from './shell.module.css';
import { TopBar } from './top-bar.tsx';

export function Shell() {
  const [keysOpen, setKeysOpen] = useState(false);
  const { opened } = useServices();
  const { namespace } = useParams({ strict: false });

  useEffect(() => watchSystemTheme(), []);
  // Plaintext of one namespace isn't kept while another is looked at.
  useEffect(() => {
    if (namespace === undefined) return undefined;
    return () => opened.forget(namespaceScope(namespace));
  }, [namespace, opened]);
  useHotkeys({ '?': () => setKeysOpen(true) });

  return (
    <div className={styles['shell']}>
      <a className={styles['skip']} href="#main">
        Skip to content
      </a>
      <TopBar onShowKeys={() => setKeysOpen(true)} />
      <main id="main" className={styles['main']} tabIndex={-1}>
        <Outlet />
      </main>
      <KeysDialog open={keysOpen} onOpenChange={setKeysOpen} />
      <LiveRegion />
    </div>
  );
}
