use strict;
use warnings;
use File::Temp;

my $one = File::Temp->new;
my $other = File::Temp->new;
print {$one} 'hello';
$one->flush;
open my $reader, '<', $one->filename or die $!;
print 'wrote and read back ', length(<$reader>), " bytes\n";
my $name = $one->filename;
print "two names differ\n" if $name ne $other->filename;
undef $one;
print "gone after removal\n" unless -e $name;
