/*
 * A process in a fleet that shares branch keys in a directory. Cloud KMS is simulated in memory, with a given
 * wrapping key.
 *
 *   node process.ts DIRECTORY WRAPPING_KEY run START    waits until the file START exists; then encrypts and rotates for a few seconds, with a soft age of 3 s
 *   node process.ts DIRECTORY WRAPPING_KEY TIME STEP    starts at a time, and kills itself at a step; with ROTATE, at a step of a rotation
 *
 * The process prints a line of JSON for each message.
 */
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileBranchKeyStore } from '../../../src/branch-keys/file-store.ts';
import { KmsCodec, KeyRules } from '../../../src/index.ts';
import { InMemoryKeyService } from '../../../src/keys/in-memory-key-service.ts';

const [directory = '', wrappingKey = '', mode = '', step = ''] = process.argv.slice(2);
const rules = new KeyRules({}, { encrypt: 'projects/p/locations/global/keyRings/r/cryptoKeys/k' });
const keyService = new InMemoryKeyService(Buffer.from(wrappingKey, 'hex'));
const store = new FileBranchKeyStore(directory);
const json = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"x"') };

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function encrypt(codec: KmsCodec): Promise<void> {
  const [message] = await codec.encode([json], { namespace: 'pay' });
  print({ message: Buffer.from(message?.data ?? []).toString('base64') });
}

/** Kills this process when it reaches the step, to simulate a failing machine. */
async function reached(name: string): Promise<void> {
  if (name !== step) return;
  process.kill(process.pid, 'SIGKILL');
  await new Promise<never>(() => undefined);
}

if (mode === 'run') {
  const replace = store.replace.bind(store);
  store.replace = async (...call) => {
    const won = await replace(...call);
    if (won) print({ won: 1 });
    return won;
  };
  const limits = { softAgeMs: 3_000 };
  const codec = new KmsCodec({ rules, keyService, branchKeyStore: store, limits });
  print({ ready: 1 });
  while (!existsSync(step)) await sleep(10);
  for (const end = Date.now() + 9_000; Date.now() < end;) {
    await encrypt(codec);
    codec.maintain();
    await sleep(25);
  }
  await codec.close();
} else {
  let isArmed = false;
  const when = async (name: string) => {
    if (isArmed) await reached(name);
  };
  const { link } = fs;
  fs.link = async (...call) => {
    await when('before it has linked the new file');
    await link(...call);
    await when('after it has linked the new file');
  };
  syncBuiltinESMExports();
  const load = store.load.bind(store);
  const replace = store.replace.bind(store);
  store.load = async (id) => {
    const found = await load(id);
    await when('after it has read the store');
    return found;
  };
  store.replace = async (...call) => {
    const won = await replace(...call);
    await when('after it has written the store');
    return won;
  };
  const wrap = keyService.wrap.bind(keyService);
  keyService.wrap = async (request) => {
    const wrapped = await wrap(request);
    await when('after Cloud KMS has wrapped the key');
    return wrapped;
  };
  let time = Number(mode);
  const codec = new KmsCodec({ rules, keyService, branchKeyStore: store, now: () => time });
  if (process.env['ROTATE']) {
    await encrypt(codec);
    time += 0.75 * 3_600_000;
  }
  isArmed = true;
  codec.maintain();
  await encrypt(codec);
  await sleep(60_000);
}
