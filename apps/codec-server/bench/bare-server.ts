import type { Audit, AuditRecord } from '@temporal-kms/audit';
import { codecServerEnvironment, loadConfigOrExit } from '@temporal-kms/config';
import { createKmsCodec } from '@temporal-kms/kms-codec';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { openAccess } from '../src/access/access.ts';
import { createApp } from '../src/app.ts';
import { startTextThreads } from '../src/history/text-threads.ts';
import { countBuffersAsHeap } from '../src/memory-collection.ts';
import { createKeyUsage } from '../src/observability/key-usage.ts';
import { watchKms } from '../src/observability/kms-health.ts';
import { listen } from '../src/server/listen.ts';
import { createTemporalService } from '../src/temporal/service.ts';

/*
 * The codec server with only the features of the Go SDK's handler: without authentication, audit, metrics or
 * log. Only the benchmark can start this server, because the real server's audit cannot be switched off.
 */
const resolved = Promise.resolve();
const record: AuditRecord = {
  done: () => undefined,
  refused: () => undefined,
  object: () => resolved,
  end: () => resolved,
};
const begun = Promise.resolve(record);
const audit: Audit = { begin: () => begun, denied: () => resolved, settled: () => resolved };

countBuffersAsHeap();
const config = loadConfigOrExit(codecServerEnvironment);
await listen({
  host: config.host,
  port: config.port,
  app: (port) =>
    createApp({
      codec: createKmsCodec(config.kms),
      kms: watchKms(),
      keyUse: createKeyUsage(),
      emulator: true,
      temporal: createTemporalService(Connection.lazy()),
      threads: startTextThreads(),
      defaultNamespace: 'default',
      access: openAccess,
      audit,
      hosts: [`127.0.0.1:${port}`],
      corsOrigins: [],
      pathPrefix: '',
      log: pino({ level: 'silent' }),
      stopping: new AbortController().signal,
    }),
});
process.on('SIGTERM', () => process.exit(0));
