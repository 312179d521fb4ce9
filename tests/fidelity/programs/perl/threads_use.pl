use strict;
use warnings;
use threads;
use threads::shared;

my $count : shared = 0;
my @threads = map {
    my $name = $_;
    threads->create(sub {
        for (1 .. 1000) { lock($count); ++$count; }
        return $name;
    });
} 0 .. 3;
my @joined = map { $_->join } @threads;
print scalar(@threads), " threads counted to $count\n";
print "joined @joined\n";
