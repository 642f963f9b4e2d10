import { Tooltip as Base } from '@base-ui/react/tooltip';
import { Kbd } from '../text/kbd.tsx';
import styles from './tooltip.module.css';

/** An element's tooltip: its `data-tip`, followed by its `data-tip-key`. */
export function TooltipPopup({ anchor }: { anchor: HTMLElement }) {
  const { tip = '', tipKey } = anchor.dataset;
  return (
    <Base.Root open>
      <Base.Portal>
        <Base.Positioner anchor={anchor} side="bottom" sideOffset={6} className={styles['positioner'] ?? ''}>
          <Base.Popup className={styles['popup'] ?? ''} data-tooltip="" aria-hidden="true">
            {tip}
            {tipKey ? <Kbd>{tipKey}</Kbd> : null}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
