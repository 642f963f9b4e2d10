import { useEffect, useState } from 'react';
import { lazyModule, useModule } from '../lazy-module.ts';

const popup = lazyModule(() => import('./tooltip-popup.tsx'));

/** Milliseconds for which the pointer must rest on an element before its tooltip appears. */
const DELAY = 400;

const SELECTOR = '[data-tip]';

const tippedElement = (target: EventTarget | null) =>
  target instanceof Element ? target.closest<HTMLElement>(SELECTOR) : null;

/**
 * Shows the tooltips of all elements with `data-tip` (the text) and, for commands with a keyboard shortcut,
 * `data-tip-key`. One layer serves the whole page, so tooltips cost nothing per row. Each element with a tooltip needs
 * its own accessible name, because screen readers do not read the tooltip. Never put plaintext into a tooltip.
 */
export function TooltipLayer() {
  const [anchor, setAnchor] = useState<HTMLElement>();
  const module = useModule(popup, anchor !== undefined);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let current: HTMLElement | null = null;
    const show = (element: HTMLElement | null, delay: number) => {
      if (element === current) return;
      current = element;
      clearTimeout(timer);
      if (!element) setAnchor(undefined);
      else timer = setTimeout(() => setAnchor(element.isConnected ? element : undefined), delay);
    };
    const over = (event: PointerEvent) => {
      // Touch screens have no hover.
      if (event.pointerType === 'touch') return;
      if (event.target instanceof Element && event.target.closest('[data-tooltip]')) return;
      show(tippedElement(event.target), DELAY);
    };
    const focus = (event: FocusEvent) => {
      const element = tippedElement(event.target);
      if (element?.matches(':focus-visible')) show(element, 0);
    };
    const hide = () => show(null, 0);
    const key = (event: KeyboardEvent) => {
      if (event.key === 'Escape' || event.key.length === 1) hide();
    };
    document.addEventListener('pointerover', over);
    document.addEventListener('focusin', focus);
    document.addEventListener('focusout', hide);
    document.addEventListener('pointerdown', hide);
    document.addEventListener('scroll', hide, { capture: true, passive: true });
    document.addEventListener('keydown', key, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('pointerover', over);
      document.removeEventListener('focusin', focus);
      document.removeEventListener('focusout', hide);
      document.removeEventListener('pointerdown', hide);
      document.removeEventListener('scroll', hide, { capture: true });
      document.removeEventListener('keydown', key, true);
    };
  }, []);

  return anchor && module ? <module.TooltipPopup anchor={anchor} /> : null;
}
