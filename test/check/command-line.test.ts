import { expect, test } from 'vitest';
import { prepareCommandLine } from '../../src/node/qemu-command-line.ts';

const prepare = (line: string) => {
  const { args, removed, hasDisplay } = prepareCommandLine(line.split(' '));
  return { args: args.join(' '), removed, hasDisplay };
};

test('devices, disks and displays stay as they are', () => {
  const line = 'qemu-system-x86_64 -M q35 --cpu host -nographic -snapshot -device e1000 disk.img -vga none';
  expect(prepare(line)).toEqual({ args: line, removed: [], hasDisplay: true });
});

test('what would disturb others, or hide QEMU, is left out', () => {
  expect(
    prepare(
      'qemu-system-arm -incoming defer -M virt --daemonize -pidfile p -qmp unix:s,server=on --monitor stdio -s -loadvm x',
    ),
  ).toEqual({
    args: 'qemu-system-arm -M virt',
    removed: [
      '-incoming defer',
      '--daemonize',
      '-pidfile p',
      '-qmp unix:s,server=on',
      '--monitor stdio',
      '-s',
      '-loadvm x',
    ],
    hasDisplay: false,
  });
});

test('a chardev goes with its monitor, and with nothing else', () => {
  const monitors =
    '-chardev socket,id=m,fd=3 -mon m,mode=control -chardev null,id=n -object monitor-qmp,id=q,chardev=n';
  const others = '-chardev null,id=s -serial chardev:s -object rng-builtin,id=r';
  const { args, removed } = prepare(`qemu-kvm ${monitors} ${others}`);
  expect(args).toBe(`qemu-kvm ${others}`);
  expect(removed.join(' ')).toBe(monitors);
});

test('options of the programs in front of QEMU are not QEMU’s', () => {
  expect(prepare('nice -s 5 chroot /x /usr/bin/qemu-system-x86_64 -s -M pc').args).toBe(
    'nice -s 5 chroot /x /usr/bin/qemu-system-x86_64 -M pc',
  );
});

test('a kernel command line may look like options', () => {
  const { args } = prepareCommandLine(['qemu-system-x86_64', '-append', '-s', '-kernel', 'k']);
  expect(args.slice(1)).toEqual(['-append', '-s', '-kernel', 'k']);
});
