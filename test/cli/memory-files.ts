import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryFixture, readChannels, readMain } from '../ram/memory-fixtures.ts';
import { temporaryFolder } from './run.ts';

/** The stream and the channels of a fixture with RAM as files, in a folder that lasts as long as the test. */
export function memoryFiles(name: string): { folder: string; main: string; channels: string[] } {
  const fixture = memoryFixture(name);
  const folder = temporaryFolder();
  const main = join(folder, 'vm.qevm');
  writeFileSync(main, readMain(fixture));
  const channels = readChannels(fixture).map((bytes, i) => {
    const path = join(folder, `vm.ch${i}`);
    writeFileSync(path, bytes);
    return path;
  });
  return { folder, main, channels };
}
