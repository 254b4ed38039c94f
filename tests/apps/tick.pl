#!/usr/bin/env perl
# A script with a shebang only.
$| = 1;
print "perl $$\n";
sleep 1 while 1;
