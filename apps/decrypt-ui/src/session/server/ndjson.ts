/**
 * Splits the chunks of a streamed body into lines, each parsed as JSON, as soon as a line is complete. A last line without
 * a newline is incomplete, so it is dropped.
 */
export function createLineParser() {
  const decoder = new TextDecoder();
  let rest = '';
  return {
    /** @throws SyntaxError for a line that is not JSON */
    push(chunk: Uint8Array): unknown[] {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '').map((line): unknown => JSON.parse(line));
    },
  };
}
