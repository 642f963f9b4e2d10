/**
 * Programs like those that an application contains. The tests run the programs that suit each environment.
 */

const body = `
export async function roundTrips() {
  const lines = [];
  for (const codec of [createTestCodec(), loadKmsCodec()]) {
    const context = { namespace: 'default' };
    const [encrypted] = await codec.encode([defaultPayloadConverter.toPayload('card 4111')], context);
    const [decrypted] = await codec.decode([encrypted], context);
    const { format, key } = codec.inspect(encrypted, context);
    lines.push([format, key?.split('/').at(-1), defaultPayloadConverter.fromPayload(decrypted)].join(' '));
    new KmsCodecPlugin(codec);
    await codec.close();
  }
  return lines.join(', ');
}
`;

/** The result of `roundTrips`, for one payload under the test key and one payload under an emulator key. */
export const expected = 'envelope-v2 not-for-production card 4111, envelope-v2 workflow-encryption card 4111';

const imports = `
import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { createTestCodec } from '@temporal-kms/kms-codec/testing';
import { defaultPayloadConverter } from '@temporalio/common';
`;

const requires = `
const { KmsCodecPlugin, loadKmsCodec } = require('@temporal-kms/kms-codec');
const { createTestCodec } = require('@temporal-kms/kms-codec/testing');
const { defaultPayloadConverter } = require('@temporalio/common');
`;

const print = 'void roundTrips().then((line) => console.log(line));\n';
const esm = imports + body;
const commonJs = requires + body.replace('export ', '');
const typed = esm.replace('lines = []', 'lines: string[] = []');

/** The files of a project, by name. */
export const programs: Readonly<Record<string, string>> = {
  'app.mjs': esm + print,
  'app.cjs': commonJs + print,
  'app.mts': typed + print,
  'app.cts': typed + print,
  'app.ts': typed + print,
  'vitest/app.test.mjs': `import { expect, it } from 'vitest';
${esm}
it('encrypts and decrypts', async () => expect(await roundTrips()).toBe('${expected}'));
`,
  'jest/app.test.cjs': `${commonJs}
it('encrypts and decrypts', async () => expect(await roundTrips()).toBe('${expected}'));
`,
  'workflows.cjs': `
const { proxyActivities } = require('@temporalio/workflow');
const { charge } = proxyActivities({ startToCloseTimeout: '1 minute', retry: { maximumAttempts: 1 } });
exports.order = async (card) => await charge(card);
`,
  // Runs webpack as Temporal's worker does. Prints whether the bundle contains the failure converter's option,
  // and whether it contains modules that it must not contain.
  'bundle.cjs': `
const { KmsCodecPlugin } = require('@temporal-kms/kms-codec');
const { createTestCodec } = require('@temporal-kms/kms-codec/testing');
const { bundleWorkflowCode } = require('@temporalio/worker');
const logger = Object.fromEntries(['log', 'trace', 'debug', 'info', 'warn', 'error'].map((name) => [name, () => {}]));
const plugins = [new KmsCodecPlugin(createTestCodec())];
bundleWorkflowCode({ workflowsPath: require.resolve('./workflows.cjs'), plugins, logger }).then(({ code }) => {
  console.log(code.includes('encodeCommonAttributes: true'), /@google-cloud|google-gax|node:crypto/.test(code));
});
`,
  // A worker, a client and a replay in one process, with one workflow that completes and one that fails.
  'worker.cjs': `
const { KmsCodecPlugin, loadKmsCodec } = require('@temporal-kms/kms-codec');
const { ApplicationFailure } = require('@temporalio/common');
const { Client, Connection } = require('@temporalio/client');
const { DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');

async function charge(card) {
  if (card.startsWith('bad')) throw ApplicationFailure.nonRetryable('refused ' + card);
  return 'charged ' + card;
}

async function main() {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = process.env.TEMPORAL_ADDRESS;
  const namespace = 'default';
  const codec = loadKmsCodec();
  await codec.warm(namespace);
  const plugins = [new KmsCodecPlugin(codec)];
  const workflowsPath = require.resolve('./workflows.cjs');
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ plugins, connection, namespace, taskQueue: 'orders', workflowsPath, activities: { charge } });
  const client = new Client({ plugins, connection: await Connection.connect({ address }), namespace });
  const order = (workflowId, card) =>
    client.workflow.execute('order', { taskQueue: 'orders', workflowId, args: [card] });
  await worker.runUntil(async () => {
    console.log(await order('good', 'card 4111'));
    console.log(await order('bad', 'bad card 4111').catch((error) => error.cause.cause.message));
  });
  // JSON.stringify calls Buffer's toJSON before this replacer, so handle both forms of bytes.
  const bytesAsText = (_, value) =>
    value instanceof Uint8Array || value?.type === 'Buffer' ? Buffer.from(value.data ?? value).toString('latin1') : value;
  for (const id of ['good', 'bad']) {
    const history = await client.workflow.getHandle(id).fetchHistory();
    const text = JSON.stringify(history, bytesAsText);
    console.log(text.includes('card 4111') ? 'plaintext in Temporal' : 'ciphertext in Temporal');
    await Worker.runReplayHistory({ plugins: [new KmsCodecPlugin(codec)], workflowsPath }, history, id);
  }
  console.log('replayed');
  await client.connection.close();
  await connection.close();
  await codec.close();
}
main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
`,
  'zstd.cjs': `
const { KmsCodecError, loadKmsCodec } = require('@temporal-kms/kms-codec');
const { readFileSync, writeFileSync } = require('node:fs');
async function main([operation, file]) {
  const codec = loadKmsCodec();
  if (operation === 'write') {
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.alloc(4096, '"') };
    const [{ metadata, data }] = await codec.encode([payload]);
    writeFileSync(file, JSON.stringify({ metadata, data: Buffer.from(data) }, (_, value) =>
      value instanceof Uint8Array ? { type: 'Buffer', data: [...value] } : value));
  } else {
    const revive = (_, value) => (value?.type === 'Buffer' ? Buffer.from(value.data) : value);
    await codec.decode([JSON.parse(readFileSync(file, 'utf8'), revive)]);
  }
  await codec.close();
}
main(process.argv.slice(2)).then(() => console.log('done'), (error) => {
  console.log(error instanceof KmsCodecError, error.code, error.message);
  process.exit();
});
`,
};
