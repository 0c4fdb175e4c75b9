import { expect, test } from 'vitest';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import { openFixture } from '../fixtures.ts';

test.each([
  ['qemu-7.2-slirp', 'slirp'],
  ['qemu-7.2-s390x-ccw', 'todclock'],
  ['qemu-11.1-s390x-ccw', 's390-skeys'],
])('of %s, what has no VMSD is named without a vmdesc as it is with one: %s', async (fixture, idstr) => {
  const childrenBy = async (ignoreVmdesc: boolean) => {
    const opened = await openStream(openFixture(fixture), { ignoreVmdesc });
    const section = opened.stream.sections.find((candidate) => candidate.idstr === idstr);
    return section && (await layoutOf(opened, section)).root.children;
  };
  const described = await childrenBy(false);
  expect(described).toMatchObject([{ kind: 'leaf', name: 'data', type: 'buffer' }]);
  expect(await childrenBy(true)).toEqual(described);
});
