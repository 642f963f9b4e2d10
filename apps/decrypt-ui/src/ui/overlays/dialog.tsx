import { lazyModule, useModule } from '../lazy-module.ts';
import type { DialogProps } from './dialog-popup.tsx';

const popup = lazyModule(() => import('./dialog-popup.tsx'));

/** A modal dialog with a title and a close button. The dialog's code is loaded when the first dialog opens. */
export function Dialog(props: DialogProps) {
  const module = useModule(popup, props.open, () => props.onOpenChange(false));
  if (module) return <module.DialogPopup {...props} />;
  return props.open ? <DialogLoading /> : null;
}

/** Marks a dialog whose code is loading, so that keys pressed meanwhile do not run page commands. */
export const DialogLoading = () => <span hidden data-dialog-loading="" />;
