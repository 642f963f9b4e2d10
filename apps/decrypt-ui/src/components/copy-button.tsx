import { Check, Copy } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { Button, type ButtonLook } from './button.tsx';
import { announce } from './live-region.tsx';

interface CopyButtonProps extends ButtonLook {
  /** The name of what is copied: `workflow id`. */
  readonly what: string;
  /** Returns the text to copy, or undefined if it is hidden by now; called when the button is pressed. */
  readonly text: () => string | undefined;
  /** The button's text; without it the button shows an icon only. */
  readonly children?: ReactNode;
  readonly glyph?: ReactNode;
  readonly className?: string | undefined;
}

/** Copies a text, and tells screen readers whether that succeeded. */
export function CopyButton({
  what,
  text,
  children,
  glyph,
  look = 'ghost',
  size = 'small',
  className,
}: CopyButtonProps) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy() {
    const value = text();
    if (value === undefined) return;
    try {
      await navigator.clipboard.writeText(value);
      setCopied(true);
      announce(`Copied ${what}`);
    } catch {
      announce('Copying failed: the browser blocked access to the clipboard.');
    }
  }

  return (
    <Button
      look={look}
      size={size}
      icon={children === undefined}
      aria-label={children === undefined ? `Copy ${what}` : undefined}
      data-tip={`Copy ${what}`}
      className={className}
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
    >
      {copied ? <Check size={14} /> : (glyph ?? <Copy size={14} />)}
      {children}
    </Button>
  );
}
