import { announce } from '../live-region.tsx';

/**
 * Copies text, announces the result to screen readers, and returns whether copying succeeded. A browser may
 * deny access to the clipboard, and always denies it to a page that is served without https.
 *
 * @param what the name of what is copied, such as `workflow id`
 */
export async function copyText(what: string, text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied ${what}`);
    return true;
  } catch {
    announce('Copying failed: the browser blocked access to the clipboard.');
    return false;
  }
}
