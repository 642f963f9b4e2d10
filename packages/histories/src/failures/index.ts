export {
  decodedAttributes,
  failureChain,
  type FailureLevel,
  headline,
  rootCause,
  WORKER_SHUTDOWN,
} from './failure.ts';
export { plaintextFailures } from './plaintext-failures.ts';
export { libraryFrames } from './library-frames.ts';
export {
  isFrame,
  kindName,
  ownFrames,
  type StackFrame,
  type StackLine,
  stackLines,
  type StackRow,
  stackRows,
} from './stack-trace.ts';
