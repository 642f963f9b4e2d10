import type { ReactNode, RefObject } from 'react';
import { lazyModule, useModule } from './lazy-module.ts';

const popup = lazyModule(() => import('./dialog-popup.tsx'));

export interface DialogProps {
  readonly title: string;
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  /** Gets the focus when the dialog opens; by default the first control of its content, else the close button. */
  readonly initialFocus?: RefObject<HTMLElement | null>;
  /** As large as the window permits, for contents that fill it. */
  readonly large?: boolean;
  readonly children: ReactNode;
}

/** A modal dialog with a title and a close button. Its code is loaded when the first dialog opens. */
export function Dialog(props: DialogProps) {
  const module = useModule(popup, props.open, () => props.onOpenChange(false));
  if (module) return <module.DialogPopup {...props} />;
  return props.open ? <DialogLoading /> : null;
}

/** Takes the place of a dialog whose code is loading: keys that are pressed meanwhile run no commands of the page. */
export const DialogLoading = () => <span hidden data-dialog-loading="" />;
