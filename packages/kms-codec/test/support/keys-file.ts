import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyRules } from '../../src/index.ts';
import { kmsEnvironment } from '../../src/config/load.ts';

/** Returns a keys file's rules, or its mistakes as text. */
export function readKeysFileText(
  folder: string,
  text: string | Uint8Array,
  files: Readonly<Record<string, string>> = {},
): KeyRules | string {
  rmSync(join(folder, 'key.txt'), { force: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), Buffer.from(content, 'hex'));
  }
  const KMS_KEYS_FILE = join(folder, 'keys.yaml');
  writeFileSync(KMS_KEYS_FILE, text);
  const result = kmsEnvironment.safeParse({ KMS_KEYS_FILE });
  if (result.success) return result.data.rules;
  return result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
}

export function described(rules: KeyRules) {
  const one = (namespace: string) => {
    const {
      encrypt,
      keys,
      accepts,
      reads,
      plaintext,
      static: keysById,
      workflowTag,
    } = rules.resolve(namespace);
    const hex = [...keysById].map(([id, key]) => [id, key.export().toString('hex')] as const);
    return {
      ...(encrypt !== undefined && { encrypt }),
      keys,
      accepts,
      reads: [...reads].toSorted(),
      plaintext,
      static: Object.fromEntries(hex),
      ...(workflowTag && { workflowTag }),
    };
  };
  return {
    namespaces: Object.fromEntries(rules.namespaces.map((name) => [name, one(name)])),
    ...(rules.hasDefault && { default: one('a namespace that no vector names') }),
    ...(rules.deny.length > 0 && { deny: rules.deny.toSorted() }),
  };
}
