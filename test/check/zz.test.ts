import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { blocking, checkLoad, hasSaid, loads } from './recorded.ts';

test('x', async () => {
  const out = [];
  for (const load of loads) {
    if (load.kind === 'same' || load.loaded || load.kind === 'cut') continue;
    if (!/ (7.2 to 7.2|11.1 to 11.1|5.2 to 10.0)|version/.test(load.id + load.kind)) continue;
    try {
      const report = await checkLoad(load);
      const [first] = blocking(report);
      out.push(
        [
          first?.says === undefined ? 'NOSAYS' : hasSaid(load.words, first.says) ? 'same' : 'OTHER',
          load.id,
          first?.rule,
          first?.section,
          first?.path?.join('/'),
          first?.says,
          load.words.slice(0, 2).join(' ## ').slice(0, 220),
        ].join(' | '),
      );
    } catch (e) {
      out.push(['THROW', load.id, String(e)].join(' | '));
    }
  }
  writeFileSync('/tmp/tests-said.txt', out.join('\n'));
}, 900_000);
