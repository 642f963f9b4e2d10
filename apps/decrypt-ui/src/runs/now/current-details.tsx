import { useMemo } from 'react';
import { CodeView } from '../../payloads/code-view.tsx';
import { textLines } from '../../payloads/value/text-lines.ts';
import styles from './now.module.css';
import { MAX_MARKDOWN, renderMarkdown } from './markdown.ts';

/** The current details of a run, which its workflow writes in Markdown. */
export function CurrentDetails({ text }: { text: string }) {
  const lines = useMemo(() => textLines(text), [text]);
  if (text.length > MAX_MARKDOWN) {
    return (
      <CodeView
        count={lines.length}
        label="Current details"
        decrypted
        wrap
        renderLine={(index) => lines[index]}
      />
    );
  }
  return (
    <div
      key={text}
      className={styles['markdown']}
      ref={(element) => element?.replaceChildren(renderMarkdown(text))}
    />
  );
}
