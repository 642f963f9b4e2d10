import { escapeInvisible } from '@temporal-kms/codec-api';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useQuery } from '@tanstack/react-query';
import { CircleHelp, Moon, Sun, SunMoon } from 'lucide-react';
import { namespacesQuery } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { Mark } from '../../components/glyphs.tsx';
import { Menu, MenuChoice } from '../../components/menu.tsx';
import { zoneLabel } from '../../model/format/time.ts';
import { setPreferences, usePreferences } from '../../state/preferences.ts';
import { useServices } from '../../state/services.tsx';
import { Health } from './health.tsx';
import styles from './top-bar.module.css';

const themeIcons = { system: SunMoon, dark: Moon, light: Sun } as const;

export function TopBar({ onShowKeys }: { onShowKeys: () => void }) {
  const { theme, zone } = usePreferences();
  const { namespace } = useParams({ strict: false });
  const ThemeIcon = themeIcons[theme];
  return (
    <header className={styles['bar']}>
      <Link to="/" className={styles['brand']} aria-label="decrypt-ui, start">
        <Mark />
        <span className={styles['name']}>decrypt-ui</span>
      </Link>
      {namespace === undefined ? null : (
        <>
          <span className={styles['slash']} aria-hidden="true">
            /
          </span>
          <NamespaceMenu namespace={namespace} />
          <nav className={styles['nav']} aria-label="Main">
            <Link to="/ns/$namespace/workflows" params={{ namespace }} activeOptions={{ exact: false }}>
              Workflows
            </Link>
          </nav>
        </>
      )}
      <span className="spacer" />
      <Health />
      <Menu label="Time zone" trigger={zoneLabel(zone)} align="end" className={styles['wide'] ?? ''}>
        <MenuChoice
          title="Time zone"
          value={zone}
          options={[
            { value: 'utc', text: 'UTC' },
            { value: 'local', text: 'This browser’s', note: zoneLabel('local') },
          ]}
          onChange={(next) => setPreferences({ zone: next })}
        />
      </Menu>
      <Menu label="Theme" trigger={<ThemeIcon size={14} />} icon align="end">
        <MenuChoice
          title="Theme"
          value={theme}
          options={[
            { value: 'system', text: 'As the system' },
            { value: 'dark', text: 'Dark' },
            { value: 'light', text: 'Light' },
          ]}
          onChange={(next) => setPreferences({ theme: next })}
        />
      </Menu>
      <Button
        look="ghost"
        icon
        aria-label="Keyboard"
        title="Keyboard: ?"
        onClick={onShowKeys}
        className={styles['wide']}
      >
        <CircleHelp size={14} />
      </Button>
    </header>
  );
}

function NamespaceMenu({ namespace }: { namespace: string }) {
  const { api } = useServices();
  const navigate = useNavigate();
  const { data } = useQuery(namespacesQuery(api));
  const names = data?.namespaces.map(({ name }) => name) ?? [];
  const all = names.includes(namespace) ? names : [namespace, ...names];
  return (
    <Menu
      label="Namespace"
      trigger={<span className={styles['namespace']}>{escapeInvisible(namespace)}</span>}
      className={styles['picker'] ?? ''}
    >
      <MenuChoice
        title="Namespace"
        value={namespace}
        options={all.map((name) => ({ value: name, text: escapeInvisible(name) }))}
        onChange={(next) => {
          void navigate({ to: '/ns/$namespace/workflows', params: { namespace: next } });
        }}
      />
    </Menu>
  );
}
