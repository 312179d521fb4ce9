use strict;
use warnings;
use IPC::Open2;

my $child = open2(my $out, my $in, 'tr', 'a-z', 'A-Z');
print {$in} 'hello';
close $in;
my $said = <$out>;
waitpid $child, 0;
print "child said $said\n";
system 'sh', '-c', 'exit 7';
print 'child exited with ', $? >> 8, "\n";
$| = 1;
my $sleeper = fork // die $!;
exec 'sleep', '60' if $sleeper == 0;
kill 'TERM', $sleeper;
waitpid $sleeper, 0;
print 'child ended by signal ', $? & 127, "\n";
