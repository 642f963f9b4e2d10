/**
 * Splits the chunks of a streamed body into lines, and parses each line as JSON as soon as it is complete. Drops a
 * last line without a newline, because it is incomplete.
 */
export function createLineParser() {
  const decoder = new TextDecoder();
  let rest = '';
  return {
    /** Returns the lines that the chunk completes. @throws SyntaxError for a line that is not JSON */
    push(chunk: Uint8Array): unknown[] {
      const [first = '', ...more] = decoder.decode(chunk, { stream: true }).split('\n');
      // Splits each chunk before joining it with the rest, because a stored payload is one line of many chunks.
      const lines = [rest + first, ...more];
      rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '').map((line): unknown => JSON.parse(line));
    },
  };
}
