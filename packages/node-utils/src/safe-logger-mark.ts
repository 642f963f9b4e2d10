/** Marks the loggers of `createSafeLogger`, also those of another copy of this module. */
export const safeLoggerMark: unique symbol = Symbol.for('temporal-kms.safeLogger');
