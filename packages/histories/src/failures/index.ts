export { decodedAttributes, failureChain, type FailureLevel, headline, rootCause } from './failure.ts';
export { libraryFrames } from './library-frames.ts';
export {
  isFrame,
  ownFrames,
  type StackFrame,
  type StackLine,
  stackLines,
  type StackRow,
  stackRows,
} from './stack-trace.ts';
