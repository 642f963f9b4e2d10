import { Check, Copy, X } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Button, type ButtonLook } from './button.tsx';
import { copyText } from './copy-text.ts';

interface CopyButtonProps extends ButtonLook {
  /** The name of what is copied, for example `workflow id`. */
  readonly what: string;
  /**
   * Called when the user presses the button. Returns the text to copy, or undefined if the page has hidden the text.
   */
  readonly text: () => string | undefined;
  /** The button's text. Default: an icon. */
  readonly children?: ReactNode;
  readonly glyph?: ReactNode;
  readonly className?: string | undefined;
}

/** A button that copies text, and shows whether copying succeeded. */
export function CopyButton({
  what,
  text,
  children,
  glyph,
  look = 'ghost',
  size = 'small',
  className,
}: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>();
  useEffect(() => {
    if (!outcome) return undefined;
    const timer = setTimeout(() => setOutcome(undefined), 1500);
    return () => clearTimeout(timer);
  }, [outcome]);

  async function copy() {
    const value = text();
    if (value !== undefined) setOutcome((await copyText(what, value)) ? 'copied' : 'failed');
  }

  return (
    <Button
      look={look}
      size={size}
      icon={children === undefined}
      aria-label={children === undefined ? `Copy ${what}` : undefined}
      data-tip={outcome === 'failed' ? 'The browser blocked the clipboard' : `Copy ${what}`}
      className={className}
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
    >
      {outcome === 'copied' ? <Check size={14} /> : outcome ? <X size={14} /> : (glyph ?? <Copy size={14} />)}
      {children}
    </Button>
  );
}
