import { useStore } from 'zustand';
import { firstKey } from '../../ui/commands/commands.ts';
import { announce } from '../../ui/live-region.tsx';
import { MenuToggle } from '../../ui/overlays/menu.tsx';
import { endNoticesOf, noticeKey } from '../run/end-notices.ts';
import { useRun, useRunSessions } from '../run/run-context.tsx';

/** How the reader follows an open run, as entries of a menu. */
export function FollowToggles() {
  const { address, paused, setPaused } = useRun();
  const notices = endNoticesOf(useRunSessions());
  const wanted = useStore(notices.store, ({ runs }) => runs.has(noticeKey(address)));

  async function toggle() {
    if (wanted) notices.remove(address);
    else if (!(await notices.add(address)))
      announce('The browser does not permit notifications of this page.');
  }

  return (
    <>
      <MenuToggle checked={paused} note={firstKey('run.pause')} onChange={setPaused}>
        Pause updates
      </MenuToggle>
      {'Notification' in window ? (
        <MenuToggle
          checked={wanted}
          note={Notification.permission === 'denied' ? 'blocked by the browser' : undefined}
          onChange={() => void toggle()}
        >
          Notify when the run ends
        </MenuToggle>
      ) : null}
    </>
  );
}
