export { asJsonFile } from './json-file.ts';
export { readCorpus, replay, targetsIn } from './target.ts';
