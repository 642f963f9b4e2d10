import { createSafeLogger } from '@temporal-kms/worker-kit/logging';

const logger = createSafeLogger({
  level: 'DEBUG',
  applicationMessages: true, // only if no workflow or activity logs payload content
  attributes: ['warehouse'],
  write: ({ level, message, fields }) => console.log(level, message, JSON.stringify(fields)),
});
logger.info('Order shipped', { warehouse: 'north', order: { card: 'card 4111' } });
