/**
 * The lines of a streamed body, each parsed as JSON, as soon as each is complete. Ending the loop early cancels the body.
 *
 * @throws SyntaxError for a line that isn't JSON; a last line without its newline was cut off and is left out
 */
export async function* ndjson(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.trim() !== '') yield JSON.parse(line) as unknown;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
