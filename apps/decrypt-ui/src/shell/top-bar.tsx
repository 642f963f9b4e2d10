import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { type CryptoHealth, escapeInvisible } from '@temporal-kms/codec-api';
import { CircleHelp, FileUp, Settings } from 'lucide-react';
import type { Outcome } from '@temporal-kms/histories/events';
import { reasonText } from '../payloads/reasons.ts';
import { healthQuery, namespacesQuery } from '../session/api.ts';
import { useMe } from '../session/me.tsx';
import { ProfileMenu } from '../session/pages/profile-menu.tsx';
import { useServices } from '../session/services.tsx';
import { tip } from '../ui/commands/commands.ts';
import { runCommand } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { zoneCity, zoneLabel } from '../ui/format/time.ts';
import { Menu, MenuAction, MenuChoice, MenuLine } from '../ui/overlays/menu.tsx';
import brandStyles from '../ui/page/brand.module.css';
import { Brand, ThemeMenu } from '../ui/page/brand.tsx';
import { setPreferences, usePreferences } from '../ui/preferences/preferences.ts';
import { PHONE_BELOW, useNarrowerThan } from '../ui/preferences/window-size.ts';
import { usePages } from './navigation.ts';
import styles from './top-bar.module.css';

interface TopBarProps {
  readonly onHelp: () => void;
  readonly onSettings: () => void;
}

/** The bar at the top of every page: namespace, health, time zone, theme, help, settings and account. */
export function TopBar({ onHelp, onSettings }: TopBarProps) {
  const { namespace } = useParams({ strict: false });
  return (
    <header className={brandStyles['bar']} data-unprinted="">
      <Link to="/" className={brandStyles['brand']} aria-label="temporal-kms, home">
        <Brand />
      </Link>
      {namespace === undefined ? null : <NamespaceNav namespace={namespace} />}
      <span className="spacer" />
      <Health />
      <ZoneMenu onSettings={onSettings} />
      <ThemeMenu className={styles['wide']} />
      {namespace === undefined ? null : (
        <Button
          look="ghost"
          icon
          aria-label="Open a history file"
          {...tip('file.open')}
          className={styles['wide']}
          onClick={() => runCommand('file.open')}
        >
          <FileUp size={14} />
        </Button>
      )}
      <Button
        look="ghost"
        icon
        aria-label="Keyboard shortcuts"
        {...tip('help')}
        onClick={onHelp}
        className={styles['wide']}
      >
        <CircleHelp size={14} />
      </Button>
      <Button look="ghost" icon aria-label="Settings" {...tip('settings')} onClick={onSettings}>
        <Settings size={14} />
      </Button>
      <ProfileMenu />
    </header>
  );
}

/**
 * A menu of time zones: UTC, the browser's time zone and, if the user has chosen another zone in the
 * settings, that zone.
 */
function ZoneMenu({ onSettings }: Pick<TopBarProps, 'onSettings'>) {
  const { zone } = usePreferences();
  const offered = [
    { value: 'utc', text: 'UTC' },
    { value: 'local', text: 'Local', note: zoneLabel('local') },
    ...(zone === 'utc' || zone === 'local'
      ? []
      : [{ value: zone, text: zoneCity(zone), note: zoneLabel(zone) }]),
  ];
  return (
    <Menu label="Time zone" trigger={zoneLabel(zone)} align="end" className={styles['wide']}>
      <MenuChoice
        title="Time zone"
        value={zone}
        options={offered}
        onChange={(next) => setPreferences({ zone: next })}
      />
      <MenuLine />
      <MenuAction onClick={onSettings}>Other time zones…</MenuAction>
    </Menu>
  );
}

/**
 * Lets the user choose the namespace and the page. A phone has space for only one menu, which then also lists
 * the pages.
 */
function NamespaceNav({ namespace }: { namespace: string }) {
  const { api } = useServices();
  const { can, namespaces, readsWorkflows } = useMe();
  const { data } = useQuery({ ...namespacesQuery(api), enabled: readsWorkflows });
  const { offered, current, open } = usePages(namespace);
  const chosen = current ?? '/ns/$namespace/workflows';
  const phone = useNarrowerThan(PHONE_BELOW);
  // The server lists only the namespaces whose workflows the person may see. Auditors may see the audit of other
  // namespaces.
  const audited = namespaces.filter(({ permissions }) => permissions.includes('audit'));
  const names = [...new Set([...(data?.namespaces ?? []), ...audited].map(({ name }) => name))];
  // Adds the current namespace if the person may read it but the server does not list it.
  const all = names.includes(namespace) || !can(namespace, 'metadata') ? names : [namespace, ...names];
  return (
    <>
      <span className={styles['slash']} aria-hidden="true">
        /
      </span>
      <Menu
        label="Namespace"
        trigger={<span className={styles['namespace']}>{escapeInvisible(namespace)}</span>}
        className={styles['picker']}
      >
        {phone ? (
          <>
            <MenuChoice
              title="Page"
              value={chosen}
              options={offered.map(({ to, text }) => ({ value: to, text }))}
              onChange={(to) => open(to)}
            />
            <MenuLine />
          </>
        ) : null}
        <MenuChoice
          title="Namespace"
          value={namespace}
          options={all.map((name) => ({ value: name, text: escapeInvisible(name) }))}
          onChange={(next) => open(chosen, next)}
        />
      </Menu>
      <nav className={styles['nav']} aria-label="Main">
        {offered.map(({ to, text, command }) => (
          <Link
            key={to}
            to={to}
            params={{ namespace }}
            activeOptions={{ exact: false }}
            aria-current={to === current || undefined}
            {...tip(command)}
          >
            {text}
          </Link>
        ))}
      </nav>
    </>
  );
}

interface HealthState {
  readonly outcome: Outcome;
  readonly text: string;
  readonly title: string;
}

/** Returns the key's id, with the version if Cloud KMS refuses only that version. */
const keyText = ({ key, version }: NonNullable<CryptoHealth['kms']['refused']>[number]): string =>
  escapeInvisible(key.slice(key.lastIndexOf('/') + 1)) + (version === undefined ? '' : ` version ${version}`);

/**
 * Returns the server's health in words.
 *
 * @param short whether to omit the word "emulator", because the tooltip contains it
 */
function healthState(health: CryptoHealth | undefined, failed: boolean, short: boolean): HealthState {
  if (failed) {
    return { outcome: 'failed', text: 'Server unreachable', title: 'The codec server does not answer.' };
  }
  if (!health) return { outcome: 'neutral', text: 'Connecting', title: 'Connecting to the codec server.' };
  const name = health.kms.emulator && !short ? 'KMS emulator' : 'KMS';
  const note = health.kms.emulator
    ? ' The server uses an emulator of Cloud KMS: its keys are not protected by Google.'
    : '';
  if (health.temporal.status === 'unavailable') {
    return {
      outcome: 'failed',
      text: 'Temporal unreachable',
      title: 'The codec server cannot reach Temporal.',
    };
  }
  switch (health.kms.status) {
    case 'ok':
      return {
        outcome: 'ok',
        text: `${name} healthy`,
        title: `Cloud KMS accepts the server's calls.${note}`,
      };
    case 'degraded':
    case 'failing': {
      const reason = health.kms.reason ? reasonText(health.kms.reason).title : 'The last call failed';
      const keys = (health.kms.refused ?? []).map(keyText).join(', ');
      const text = `${name} ${health.kms.status}`;
      return { outcome: 'timed-out', text, title: `${reason}${keys === '' ? '' : `: ${keys}`}.${note}` };
    }
    default:
      return { outcome: 'neutral', text: name, title: `The server has not called Cloud KMS yet.${note}` };
  }
}

/** Below this width, in CSS pixels, the bar shortens its text. */
const SHORT_BELOW = 960;

/** Shows whether the server can decrypt now, as far as the server knows. */
function Health() {
  const { api } = useServices();
  const { readsWorkflows } = useMe();
  const { data, isError } = useQuery({ ...healthQuery(api), enabled: readsWorkflows });
  const short = useNarrowerThan(SHORT_BELOW);
  if (!readsWorkflows) return null;
  const { outcome, text, title } = healthState(data, isError, short);
  return (
    <span className={styles['health']} data-tip={title}>
      <span className={styles['dot']} data-outcome={outcome} />
      <span>{text}</span>
    </span>
  );
}
