*** Settings ***
Variables       ${EXECDIR}/resources/variables.py
Library         broker


*** Test Cases ***
900_01_01 A Context Is Read From The Checkout
    [Tags]    e-create    5_6_1    since_v1.3.1
    ${status}=    Create Fountain    ${url}/entities    ${town_context}
    Should Be Equal As Integers    ${status}    201
    ${type}=    Type Of Fountain    ${url}/entities
    Should Be Equal    ${type}    https://town.example/Fountain

900_01_02 What Does Not Hold Fails
    [Tags]    5_7_1
    Fail    <b>nothing</b> holds

900_01_03 What The Standard Does Not Ask For
    [Tags]    5_7_1
    Fail    a defect

900_01_04 What Is Not Applicable
    Skip    not here
