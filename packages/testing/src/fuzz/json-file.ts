/** Maximum length of a key up to its colon in strict YAML. */
const MAX_KEY = 490;

/**
 * Returns a value from a strict YAML file as JSON, which is also strict YAML. Returns undefined if a key
 * could be too long for a YAML file when it is quoted.
 */
export function asJsonFile(value: unknown): Buffer | undefined {
  let longest = 0;
  const json = JSON.stringify(value, (key, inner: unknown) => {
    longest = Math.max(longest, JSON.stringify(key).length);
    return inner;
  });
  return longest > MAX_KEY ? undefined : Buffer.from(`${json}\n...\n`);
}
