import { expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { Finding } from '../../src/check/finding.ts';
import type { Profile } from '../../src/check/profile.ts';
import { redactCapture } from '../../src/check/redact.ts';
import { redactCommandLine, redactProperties } from '../../src/check/redact-words.ts';
import { blocking, checkLoad, destinationOf, openBytes, recorded } from './recorded.ts';

const CAPTURE: Omit<Profile, 'stream'> = {
  kind: 'capture',
  qemu: { version: '7.2.22', package: '' },
  target: 'aarch64',
  machineType: 'virt-7.2',
  kvm: false,
  commandLine: [],
  messages: [],
  capabilities: {},
  ramBlocks: [],
  devices: [],
  schema: undefined,
};

// What identifies a CPU stays: QEMU refused these loads for it.
test.each(['arm-sbsa 5.2 to 7.2', 'arm-virt-virtio@7.2 7.2 to 10.0', 'pseries-cpu ab 7.2 to 7.2'])(
  '%s is refused for the same reason with its registers taken out',
  async (id) => {
    const load = recorded(id);
    const stream = new Uint8Array(load.stream());
    const { profile, bytes } = await redactCapture({ ...CAPTURE, stream }, await openBytes(stream));
    expect(bytes).toBeGreaterThan(1000);
    const { version, target } = load.destination;
    const after = await checkStream(
      await openBytes(profile.stream),
      await destinationOf(load.profile(), version, target),
    );
    const before = blocking(await checkLoad(load));
    expect(before.length).toBeGreaterThan(0);
    const told = ({ rule, section, message, range }: Finding) => [
      rule,
      section,
      message,
      range?.start,
      range?.end,
    ];
    expect(blocking(after).map(told)).toEqual(before.map(told));
  },
);

test.each([
  ['-append root=/dev/vda', '-append REDACTED'],
  ['-append -quiet', '-append REDACTED'],
  ['-object tls-creds-x509,id=a,passwordid=b,dir=/c', '-object tls-creds-x509,id=a,passwordid=b,dir=/c'],
  ['-object secret,id=a,file=/b', '-object secret,id=a,file=/b'],
  ['-spice port=1,password=x,,y,addr=z', '-spice port=1,password=REDACTED,addr=z'],
  ['-vnc :1,password=on', '-vnc :1,password=on'],
  ['-smbios type=1,serial=x,uuid=y', '-smbios type=1,serial=REDACTED,uuid=REDACTED'],
  ['-smbios file=/x', '-smbios file=/x'],
  ['-set object.s.data=x', '-set object.s.data=REDACTED'],
  ['-global driver=scsi-hd,property=serial,value=x', '-global driver=scsi-hd,property=serial,value=REDACTED'],
  ['-drive file=https://a:b@c/d,if=none', '-drive file=https://REDACTED@c/d,if=none'],
  ['-drive file=rbd:a/b:id=c:key=d:conf=e', '-drive file=rbd:a/b:id=c:key=REDACTED:conf=e'],
  ['-drive file=json:{"a":1}', '-drive file=REDACTED'],
  ['-device {"driver":"nvme","serial":"x"}', '-device {"driver":"nvme","serial":"REDACTED"}'],
  ['-blockdev {"driver":', '-blockdev REDACTED'],
  ['-blockdev {"a":[{"password":"b"},1]}', '-blockdev {"a":[{"password":"REDACTED"},1]}'],
])('%s becomes %s', (from, to) => {
  const [option = '', ...rest] = from.split(' ');
  expect(redactCommandLine([option, rest.join(' ')]).join(' ')).toBe(to);
});

test('properties of devices, likewise', () => {
  const properties = { serial: 'x', drive: 'https://a@b', size: 3, empty: '' };
  expect({ ...redactProperties([{ path: '', type: '', properties }])[0]!.properties }).toEqual({
    ...{ serial: 'REDACTED', drive: 'https://REDACTED@b', size: 3, empty: '' },
  });
});
