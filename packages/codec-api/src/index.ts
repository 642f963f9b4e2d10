export * from './audit.ts';
export * from './errors.ts';
export * from './health.ts';
export * from './history.ts';
export * from './payload.ts';
export * from './reasons.ts';
export * from './workflow.ts';
