export * from '@temporal-kms/scripts/certificates';
