export { type ExtractedFile, type Extraction, type ExtractOptions, extractStream } from './extract.ts';
export { type FileSource, openFile } from './file-source.ts';
export { openPath, openStandardInput, spoolToFile } from './spool.ts';
