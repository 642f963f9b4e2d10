import { escapeInvisible, type Me, type Permission } from '@temporal-kms/codec-api';
import { LogOut } from 'lucide-react';
import { Menu, MenuAction, MenuLine, MenuText } from '../../ui/overlays/menu.tsx';
import { useMe } from '../me.tsx';
import { useServices } from '../services.tsx';
import styles from './profile-menu.module.css';
import { hostOf } from './sign-in-page.tsx';

/**
 * Shows who is signed in and their permissions in each namespace, and offers to sign out. Renders nothing if the
 * server needs no sign-in.
 */
export function ProfileMenu() {
  const { name, namespaces } = useMe();
  const { session } = useServices();
  if (name === undefined) return null;
  const initials = initialsOf(name);
  return (
    <Menu
      // A control's name must contain its visible text (WCAG 2.5.3).
      label={`Account ${initials}`}
      icon
      align="end"
      trigger={
        <span className={styles['avatar']} aria-hidden="true">
          {initials}
        </span>
      }
    >
      <MenuText>
        <span className={styles['name']}>{escapeInvisible(name)}</span>
        {session.issuer === undefined ? null : (
          <span className={styles['detail']}>signed in with {hostOf(session.issuer)}</span>
        )}
      </MenuText>
      <MenuLine />
      {namespaces.length === 0 ? (
        <MenuText>
          <span className={styles['detail']}>No permission in any namespace</span>
        </MenuText>
      ) : (
        <div className={styles['namespaces']}>
          {namespaces.map((each) => (
            <MenuText key={each.name}>
              <span className={styles['namespace']}>{escapeInvisible(each.name)}</span>
              <span className={styles['detail']}>{permissionsOf(each)}</span>
            </MenuText>
          ))}
        </div>
      )}
      {session.issuer === undefined ? null : (
        <>
          <MenuLine />
          <MenuAction icon={<LogOut size={14} />} onClick={() => void session.signOut()}>
            Sign out
          </MenuAction>
        </>
      )}
    </Menu>
  );
}

type Granted = Me['namespaces'][number];

const decrypting: ReadonlySet<Permission> = new Set(['decode', 'search', 'export', 'query']);

/**
 * Returns a list of permissions as text, for example `metadata, decode, export`. With `reveal: on-demand`,
 * lists the permissions to decrypt separately: `metadata, with justification: decode, export`.
 */
function permissionsOf({ permissions, reveal }: Granted): string {
  const justified = reveal === 'on-demand' ? permissions.filter((each) => decrypting.has(each)) : [];
  const others = permissions.filter((each) => !justified.includes(each));
  const text = justified.length > 0 ? [`with justification: ${justified.join(', ')}`] : [];
  return [...others, ...text].join(', ');
}

/** Returns two initials for a name or an address: AK for `ana.king@example.com`. */
function initialsOf(name: string): string {
  const [local = ''] = name.split('@');
  const parts = local.match(/[\p{L}\p{N}]+/gu) ?? ['?'];
  const [first = '?', second] = parts;
  const start =
    second === undefined ? firstLetters(first, 2) : firstLetters(first, 1) + firstLetters(second, 1);
  return start.toUpperCase();
}

const firstLetters = (text: string, count: number) => Array.from(text).slice(0, count).join('');
