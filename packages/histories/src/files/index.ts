export type { EventEncoding, FileWorkflow } from './file-workflow.ts';
export { type HistoryFile, MAX_FILE_BYTES, readHistoryFile, tooLarge } from './history-file.ts';
export { HistoryFileError, type HistoryFileProblem } from '../history-file-error.ts';
export { MalformedProtobuf, type ProtobufField, protobufFields } from './protobuf-fields.ts';
