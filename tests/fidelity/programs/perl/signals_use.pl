use strict;
use warnings;
use Time::HiRes qw(ualarm);

$| = 1;
my $fired = 0;
$SIG{HUP} = sub { print "caught SIGHUP\n" };
$SIG{INT} = sub { print "caught SIGINT\n" };
$SIG{ALRM} = sub { $fired = 1 };
kill 'HUP', $$;
kill 'INT', $$;
ualarm(10_000);
select undef, undef, undef, 0.05 until $fired;
print "the timer fired\n";
my $child = fork // die $!;
exec 'sleep', '60' if $child == 0;
kill 'TERM', $child;
waitpid $child, 0;
print 'a child without a handler ended by signal ', $? & 127, "\n";
