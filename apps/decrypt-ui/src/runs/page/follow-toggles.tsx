import { useStore } from 'zustand';
import { useServices } from '../../session/services.tsx';
import { firstKey } from '../../ui/commands/commands.ts';
import { announce } from '../../ui/live-region.tsx';
import { MenuText, MenuToggle } from '../../ui/overlays/menu.tsx';
import { endNoticesOf, noticeKey } from '../run/end-notices.ts';
import { useRun, useRunSessions } from '../run/run-context.tsx';

const BLOCKED = 'The browser blocks notifications from this page.';

/** Menu items that choose how the user follows an open run. */
export function FollowToggles() {
  const { address, paused, setPaused } = useRun();
  const notices = endNoticesOf(useRunSessions(), useServices().session);
  const wanted = useStore(notices.store, ({ runs }) => runs.has(noticeKey(address)));
  const refused = useStore(notices.store, (state) => state.refused);

  async function toggle() {
    if (wanted) notices.remove(address);
    else if (!(await notices.add(address))) announce(BLOCKED);
  }

  return (
    <>
      <MenuToggle checked={paused} note={firstKey('run.pause')} onChange={setPaused}>
        Pause updates
      </MenuToggle>
      {'Notification' in window ? (
        <>
          <MenuToggle checked={wanted} onChange={() => void toggle()}>
            Notify when the run ends
          </MenuToggle>
          {refused || Notification.permission === 'denied' ? <MenuText>{BLOCKED}</MenuText> : null}
        </>
      ) : null}
    </>
  );
}
