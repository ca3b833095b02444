#!/usr/bin/env python3
"""The Debian package in a fresh Debian 12: it installs, its unit's command runs on the configuration it comes with,
it upgrades with an edited configuration, and goes away cleanly.

    check_deb.py PACKAGE.deb PLACE

Runs as root; debootstrap makes the system in PLACE/root unless it is there. systemd does not run inside: its unit is
verified, and started by hand as it says, as its user. Ends with `N passed, N failed`."""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools'))
from tally import check, end, wait  # noqa: E402

MIRROR = os.environ.get('DEBIAN_MIRROR', 'http://deb.debian.org/debian')
UNITS = ('driftd.service', 'driftd@.service')


class Root:
    def __init__(self, place):
        self.path = os.path.join(place, 'root')
        if not os.path.exists(os.path.join(self.path, 'usr/bin/dpkg')):
            # systemd: for the units that ours name
            subprocess.run(['debootstrap', '--variant=minbase', '--include=adduser,systemd', 'bookworm', self.path,
                            MIRROR], check=True, stdout=subprocess.DEVNULL)
        shutil.copy('/etc/resolv.conf', self.file('etc/resolv.conf'))
        with open(self.file('usr/sbin/policy-rc.d'), 'w') as f:
            f.write('#!/bin/sh\nexit 101\n')  # no service is started
        os.chmod(self.file('usr/sbin/policy-rc.d'), 0o755)

    def file(self, name):
        return os.path.join(self.path, name)

    def has(self, name):
        return os.path.lexists(self.file(name))

    def run(self, *command, user=None):
        wrapped = ['setpriv', '--reuid', user, '--regid', user, '--clear-groups', *command] if user else command
        return subprocess.run(['chroot', self.path, *wrapped], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=900,
                              env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND': 'noninteractive'})

    def apt(self, *arguments):
        return self.run('apt-get', '-qq', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold',
                        *arguments)

    def put(self, package, name):
        shutil.copy(package, self.file(f'tmp/{name}'))
        return f'/tmp/{name}'


def newer(package, place):
    """The same package as a later version, with another example in it."""
    tree, out = os.path.join(place, 'newer'), os.path.join(place, 'newer.deb')
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(['dpkg-deb', '-R', package, tree], check=True)
    control = os.path.join(tree, 'DEBIAN/control')
    with open(control) as f:
        text = f.read()
    old = next(line for line in text.splitlines() if line.startswith('Version: '))
    with open(control, 'w') as f:
        f.write(text.replace(old, old + '+later'))
    with open(os.path.join(tree, 'etc/driftd/driftd.yaml'), 'a') as f:
        f.write('# of a later version\n')
    subprocess.run(['dpkg-deb', '--root-owner-group', '-b', tree, out], check=True, stdout=subprocess.DEVNULL)
    return out


def command_of(root):
    with open(root.file('lib/systemd/system/driftd.service')) as f:
        line = next(x for x in f if x.startswith('ExecStart='))
    return line.strip().split('=', 1)[1].split()


def started(root):
    """As the unit says, as its user; it opens its database and stops at SIGTERM."""
    state = root.file('var/lib/driftd')
    os.makedirs(state, exist_ok=True)
    root.run('chown', 'driftd:driftd', '/var/lib/driftd')
    log = open(root.file('tmp/log'), 'w')
    process = subprocess.Popen(['chroot', root.path, 'setpriv', '--reuid', 'driftd', '--regid', 'driftd',
                                '--clear-groups', 'env', '-C', '/var/lib/driftd', *command_of(root)], stdout=log, stderr=log)
    up = wait(30, lambda: 'event=start ' in open(root.file('tmp/log')).read())
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    status = process.wait(30)
    log.close()
    return up and status == 0 and os.path.exists(os.path.join(state, 'driftd.db'))


def install(root, package):
    root.apt('update')
    done = root.apt('install', root.put(package, 'driftd.deb'))
    check('it_installs', done.returncode == 0 and root.run('driftd', '--version').returncode == 0, done.stdout[-300:]
          if done.returncode else '')
    configuration = os.stat(root.file('etc/driftd/driftd.yaml'))
    group = root.run('id', '-g', 'driftd').stdout.strip()
    check('its_account_alone_reads_the_configuration', configuration.st_mode & 0o777 == 0o640 and
          str(configuration.st_gid) == group, (oct(configuration.st_mode), group))
    done = root.run('env', '-C', '/tmp', 'driftd', 'check', '/etc/driftd/driftd.yaml', user='driftd')
    check('the_configuration_it_comes_with_is_valid', done.returncode == 0, done.stdout[-300:] if done.returncode else '')
    for unit in UNITS:
        done = subprocess.run(['systemd-analyze', 'verify', f'--root={root.path}', '--man=no',
                               unit.replace('@.', '@acme.')], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        complaints = [line for line in done.stdout.splitlines() if 'driftd' in line]
        check(f'{unit}_is_verified', not complaints, complaints[:3])
    check('the_unit_is_enabled', root.has('etc/systemd/system/multi-user.target.wants/driftd.service'))
    check('the_command_of_the_unit_runs', started(root), open(root.file('tmp/log')).read()[-300:])


def upgrade(root, package):
    with open(root.file('etc/driftd/driftd.yaml'), 'a') as f:
        f.write('# edited here\n')
    done = root.apt('install', root.put(package, 'newer.deb'))
    version = root.run('dpkg-query', '-W', '-f', '${Version}', 'driftd').stdout
    check('it_upgrades', done.returncode == 0 and version.endswith('+later'), done.stdout[-300:] if done.returncode else '')
    with open(root.file('etc/driftd/driftd.yaml')) as f:
        text = f.read()
    check('what_was_edited_stays', 'edited here' in text and 'later version' not in text)
    check('it_goes_on_with_its_database', started(root), open(root.file('tmp/log')).read()[-300:])


def remove(root):
    done = root.apt('remove', 'driftd')
    check('it_is_removed', done.returncode == 0 and not root.has('usr/bin/driftd') and not any(
        root.has(f'lib/systemd/system/{unit}') for unit in UNITS), done.stdout[-300:] if done.returncode else '')
    check('configuration_and_data_stay', root.has('etc/driftd/driftd.yaml') and root.has('var/lib/driftd/driftd.db'))
    done = root.apt('purge', 'driftd')
    left = root.run('sh', '-c', 'find /etc /var /usr /lib/systemd -path "*driftd*" -not -path "/var/cache/apt/*"'
                    ' -not -path "/var/lib/apt/*" -not -path "/var/log/*"').stdout.split()
    check('after_a_purge_nothing_is_left', done.returncode == 0 and not left, left[:5])


def main():
    package, place = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    os.makedirs(place, exist_ok=True)
    root = Root(place)
    root.apt('purge', 'driftd')
    install(root, package)
    upgrade(root, newer(package, place))
    remove(root)
    return end()


if __name__ == '__main__':
    sys.exit(main())
