import type { CliDeps, CliProcess } from './deps.ts';

/**
 * Characters that control a terminal, change the order of its text, or are invisible: control characters, escape
 * sequences, direction marks, line separators, invisible and unassigned characters, lone surrogates, and all white
 * space except the space.
 */
const HIDDEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;
const HIDDEN_IN_CONTENT = /(?![ \n\t])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** Returns UTF-16 code units as JSON escapes, which do not change the value of a JSON string. */
const escaped = (text: string): string => {
  let escapes = '';
  for (let at = 0; at < text.length; at += 1)
    escapes += `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return escapes;
};

/** Returns text as one line in which every character is visible. */
export const visible = (text: string): string => text.replaceAll(HIDDEN, escaped);

/**
 * Returns a function that writes lines in which every character is visible. No value in a line can start a
 * new line or control the terminal.
 */
export const printer =
  (write: (text: string) => void) =>
  (lines: readonly string[]): void => {
    if (lines.length > 0) write(lines.map((line) => `${visible(line)}\n`).join(''));
  };

/** Returns the parts of the process that commands use. The returned functions escape what they write to a terminal. */
export function depsOf({ stdout, stderr, ask, ...process }: CliProcess): CliDeps {
  return {
    ...process,
    ask: (question) => ask(visible(question)),
    print: printer(stdout),
    printError: printer(stderr),
    writeContent: (content) =>
      stdout(
        process.showsOutput
          ? Buffer.from(content).toString().replaceAll(HIDDEN_IN_CONTENT, escaped)
          : content,
      ),
  };
}
