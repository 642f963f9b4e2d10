export { codecServerEnvironment } from './codec-server.ts';
export type { CodecServerConfig } from './codec-server.ts';
export { describeEnvironment, printableConfig, unknownVariables } from './environment.ts';
export type { Environment, Values, Variable } from './environment.ts';
export { isLoopback } from './fields.ts';
export { answerHelp, ConfigError, loadConfigOrExit, parseConfig } from './load.ts';
export type { Mistake } from './load.ts';
export { workerEnvironment } from './worker.ts';
export type { WorkerConfig } from './worker.ts';
